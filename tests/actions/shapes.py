"""Changes that make a machine headless, and show its screen again."""

from tests.factories import headless
from vms.domain.changes import Changes

HEADLESS_NOW = Changes(console=headless)
GRAPHICAL_NOW = Changes(console=lambda console, offer: console.as_graphical(offer))
