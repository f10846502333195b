"""The numbers behind mode, arrival and ETA."""

from __future__ import annotations

from typing import Final

from attrs import frozen

KMH: Final = 3.6
"""km/h in one m/s."""


@frozen(kw_only=True)
class Profile:
    """How one gets about: a straight distance of d km takes `base` x d ** `power` seconds, where `pace` (m/s) is supposed.

    One formula covers detours and the rise of speed with distance. Eight of ten arrivals come between `low` and `high` times that.
    """

    base: float
    power: float
    pace: float
    prior: float
    low: float
    high: float
    fastest: float = 0.5
    slowest: float = 2.0


@frozen(kw_only=True)
class EtaRules:
    """Metres, seconds and metres per second; the defaults are fitted to recorded trips of people who drove or walked in a city."""

    # The label that people read, and when it sticks.
    driving_above: float = 40 / KMH
    stationary_below: float = 5 / KMH
    vehicle_above: float = 12 / KMH  # twice running: nobody walks so fast
    parked_after: float = 180.0
    moving_above: float = 1.5 / KMH
    on_foot_after: int = 3  # moves
    on_foot_again_after: int = 20  # moves, once a vehicle was seen

    # Which fixes count, and for what.
    ahead: float = 60.0
    unsure: float = 100.0  # radius of accuracy above which a fix is only drawn
    jump: float = 50.0
    impossible: float = 180 / KMH
    jitter: float = 15.0
    old: float = 120.0
    gap: float = 600.0
    patience: float = 50.0
    stride: float = 20.0  # pace and manner are taken over steps of at least this, or noise would be speed
    instant: float = 5.0  # and the label over this

    # The estimate.
    vehicle: Profile = Profile(base=280.0, power=0.70, pace=33 / KMH, prior=1200.0, low=0.63, high=1.91)
    on_foot: Profile = Profile(base=900.0, power=1.0, pace=4.7 / KMH, prior=1200.0, low=0.82, high=1.96)
    unproven_low: float = 0.5
    unproven_high: float = 3.5
    memory: float = 600.0
    arriving_within: float = 500.0
    ageing_after: float = 120.0
    stale_after: float = 300.0
    longest: float = 7 * 86_400.0  # what a routing engine may say; more is no trip to a customer
    soonest: float = 60.0  # an ageing estimate does not count down below
    restless: float = 0.10  # what is shown changes by a minute and this part of it, or not at all

    # The arrival.
    radius: float = 100.0
    accuracy: float = 30.0  # of a phone that does not know it
    leave_radius: float = 150.0
    dwell: float = 60.0
    calm_step: float = 40.0
    stay: float = 120.0
