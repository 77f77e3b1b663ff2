"""What goes wrong for a reason that the user can mend."""


class ProfileError(ValueError):
    """Something can't be measured; the message says what, why, and what to do."""
