"""Which rules say that a young person is out of sight, and in what way: the question the inspectors asked."""

from collections.abc import Mapping

OUT_OF_SIGHT: Mapping[str, tuple[str, ...]] = {
    "No personal adviser": ("pa-allocated", "over-21-adviser", "eligible-adviser"),
    "No contact": ("not-in-touch", "contact-overdue", "over-21-contact"),
    "No known address": ("known-address",),
    "Left the caseload": ("left-caseload",),
    "Status dropped": ("status-dropped",),
    "Entitled and on no caseload": ("entitled-not-on-caseload",),
}
"""By way, in the order in which readers are told of them."""
