"""Push notifications: Expo's service, and Firebase Cloud Messaging."""

from adapters.push.expo import ExpoPush
from adapters.push.fcm import FcmPush, ServiceAccount

__all__ = ["ExpoPush", "FcmPush", "ServiceAccount"]
