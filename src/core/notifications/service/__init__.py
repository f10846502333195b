"""What can be asked of notifications."""

from core.notifications.service.choosing import Choices
from core.notifications.service.sending import Errand, Notifications

__all__ = ["Choices", "Errand", "Notifications"]
