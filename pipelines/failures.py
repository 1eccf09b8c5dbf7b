"""What a command can fail with, apart from the libraries that make it fail."""


class RunFailedError(RuntimeError):
    """A job did not finish. Its message lists each failed step or blocking check with its cause."""
