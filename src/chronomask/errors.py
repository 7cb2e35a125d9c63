"""What users see when their input cannot be used: one sentence that names the file, the field and the value."""


class InputError(ValueError):
    """Raised when a file, an option or a value given by the caller cannot be used. Commands exit with code 2."""
