"""How the shell fails: settings are wrong, or the world is unwell for a while."""

from collections.abc import Sequence


class ConfigError(Exception):
    """The node cannot start as it is configured; `problems` lists everything that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class TransientError(Exception):
    """The work can be done later: a peer is down, the disk is full, the broker is gone.

    Attributes
    ----------
    code
        Message code, a key of `pipelines.domain.reasons.CODES`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
