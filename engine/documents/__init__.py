"""Files of all formats read as text, for attachments and for retrieval alike. Knows no model and no interface."""

from engine.documents.document import WARNINGS, Document
from engine.documents.formats import READABLE
from engine.documents.reading import BYTES_MAX, read

__all__ = ["BYTES_MAX", "READABLE", "WARNINGS", "Document", "read"]
