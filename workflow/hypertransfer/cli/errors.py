"""The error of a command that cannot go on, in words that begin with the option at fault."""

from __future__ import annotations

from hypertransfer.studies.document import ConfigError


class CommandError(ConfigError):
    """A command cannot go on; the message begins with the option or the part at fault."""

    def __init__(self, place: str, text: str) -> None:
        ValueError.__init__(self, f"{place}: {text}")
