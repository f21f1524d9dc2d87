"""The nodes of a YAML text, from libyaml's parser where it gives the nodes of PyYAML's own parser.

libyaml's parser is several times as fast. In few texts it differs: it accepts tabs between tokens
and `?` in plain texts of flow collections, reads a lone `!` as a text, and puts empty values on
other lines. Such texts, and texts with errors, are left to PyYAML's parser, so that values, lines
and messages do not depend on whether PyYAML was built with libyaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

try:
    from yaml.cyaml import CParser
except ImportError:  # PyYAML was built without libyaml
    CParser = None

# Tabs, line breaks other than \n, byte order marks, directives, documents, tags, explicit keys, and
# comments in the header of a block.
_DIFFERENT = re.compile(
    r"[\t\r\x85\u2028\u2029\ufeff]|^%|^---|(?<![\w)])[?!]|[|>][-+\d]*#", re.MULTILINE
)

if CParser:

    class _Quick(Composer, CParser, Resolver):
        """Composes nodes from the events of libyaml's parser, with the tags of a loader.

        The composer is that of PyYAML, whose recursion Python limits. The recursion of the composer
        in C would overflow the stack on a deeply nested text.
        """

        def __init__(self, text: str, loader: type[yaml.SafeLoader]) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            Resolver.__init__(self)
            self.yaml_implicit_resolvers = loader.yaml_implicit_resolvers


def quick_root(text: str, loader: type[yaml.SafeLoader]) -> yaml.Node | None:
    """The root node that `yaml.compose` gives with a loader; None if libyaml may give another.

    Also None for an empty text, for a text that is not YAML, and without libyaml.

    Raises:
        RecursionError: the text is nested too deeply.
    """
    if not CParser or _DIFFERENT.search(text):
        return None
    try:
        root = _Quick(text, loader).get_single_node()
    except yaml.YAMLError:  # PyYAML's parser words the error
        return None
    return None if root is None or any(map(_may_differ, _scalars(root))) else root


def _may_differ(scalar: yaml.ScalarNode) -> bool:
    """Whether PyYAML's parser may refuse a scalar without quotes, or put it on another line."""
    return not scalar.style and (not scalar.value or "?" in scalar.value)


def _scalars(root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """All scalars below a node, each once."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            pairs = node.value if isinstance(node, yaml.MappingNode) else [node.value]
            waiting += [inner for pair in pairs for inner in pair]
