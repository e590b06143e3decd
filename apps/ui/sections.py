"""The sections of the suite in their order: both navigations are made from this list. Knows no framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["student", "teacher"]


@dataclass(frozen=True)
class Section:
    """One section: `key` names its texts (`section.<key>`, `question.<key>`) and its address, `page` its Streamlit
    file.
    """

    key: str
    icon: str
    page: str
    roles: frozenset[Role] = frozenset({"student", "teacher"})
    class_only: bool = False

    def visible(self, role: Role, class_mode: bool) -> bool:
        """Whether a person of this role sees it."""
        return role in self.roles and (class_mode or not self.class_only)


SECTIONS: tuple[Section, ...] = (
    Section("chat", ":material/forum:", "pages/chat.py"),
    Section("documents", ":material/description:", "pages/documents.py"),
    Section("comptine", ":material/format_list_numbered:", "pages/comptine.py"),
    Section("sampling", ":material/casino:", "pages/sampling.py"),
    Section("quality", ":material/monitoring:", "pages/quality.py"),
    Section("compare", ":material/compare_arrows:", "pages/compare.py"),
    Section("models", ":material/deployed_code:", "pages/models.py"),
    Section("room", ":material/groups:", "pages/room.py", frozenset({"teacher"}), class_only=True),
)


def sections(role: Role, class_mode: bool) -> tuple[Section, ...]:
    """The sections that a person sees, in order."""
    return tuple(section for section in SECTIONS if section.visible(role, class_mode))
