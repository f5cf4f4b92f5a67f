"""How long properties are searched: a little and the same in every run, long and at random in `make prove`."""

from hypothesis import HealthCheck, settings

ORDINARY, LONG = 50, 2000  # examples of what costs next to nothing


def register_profiles() -> None:
    """Before any property is read: it takes the profile of that moment."""
    # The rows of a test are the same for all its examples; what one changes is what the next one finds.
    unasked = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    common = settings(deadline=None, suppress_health_check=unasked)
    settings.register_profile("ordinary", common, max_examples=ORDINARY, derandomize=True)
    settings.register_profile("prove", common, max_examples=LONG)
    settings.load_profile("ordinary")


def examples(number: int) -> settings:
    """As many examples in an ordinary run, and in proportion in a long one."""
    return settings(max_examples=number * settings().max_examples // ORDINARY)
