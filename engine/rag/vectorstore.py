"""The chunks of one collection in a LanceDB table: vectors, full text, versions. Knows no owner and no embedder.

Several processes may read while one writes: every read looks for the newest version first. Each chunk is indexed by the
stems of its own language, French or English, without accents; a question is looked up in both. Raises StoreFailed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import StoreFailed
from engine.rag.languages import language
from engine.rag.values import Chunk, Vectors

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

Found = list[tuple[Chunk, float]]

NAME = "chunks"
ANN_ROWS = 50_000  # below that an exact search is as quick, and finds everything
ANN_GROWTH = 1.5  # so much larger than at its building, and the ANN index is built anew
PROBES = 64  # partitions of the ANN index that a question looks into: 64 of 316 find 0.975 (`bench rag`)
LANGUAGES = {"french": "French", "english": "English"}  # column → the index's name of the language
COLUMNS = ("id", "file", "name", "number", "start", "end", "tokens", "page", "heading", *LANGUAGES)
REMOTE_FRESH = timedelta(seconds=5)  # of object storage, where every look costs a request
KEPT = timedelta(minutes=10)  # longer than any reader holds on to a version
ROWS_AT_ONCE = 4096
_OURS = (RuntimeError, OSError, ValueError)  # all that Lance raises


class ChunkTable:
    """One table, made at the first write; before that it is empty. Safe from any thread, for one writer at a time."""

    def __init__(self, uri: str, *, ann_rows: int = ANN_ROWS, storage: Mapping[str, str] | None = None) -> None:
        self.uri = uri
        self._told = uri.rstrip("/").rpartition("/")[2]  # where it lies is not for everybody who may read it
        self._storage = dict(storage or {})  # what the object storage wants to know, keys included
        self.ann_rows = ann_rows
        self._lock = threading.Lock()
        self._opened: Table | None = None

    def write(self, files: Mapping[str, tuple[Sequence[Chunk], Vectors]]) -> None:
        """Replace the chunks of these files (ids): no reader misses them, some see old ones beside the new for the
        hundredth of a second between two commits. One commit would join the whole table (0.8 s at 100,000 chunks).
        """
        chunks = [chunk for found, _ in files.values() for chunk in found]
        if not chunks:
            return self.delete(tuple(files))
        vectors = np.concatenate([vectors for found, vectors in files.values() if len(found)]).astype(np.float32)
        with self._mapped():
            table = self._table() or self._create(vectors.shape[1])
            rows, those = _rows(chunks, vectors, table.schema), _among(tuple(files))
            if not table.count_rows(those):
                table.add(rows)
                return
            table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
            table.delete(f"{those} AND NOT {_among([chunk.id for chunk in chunks], 'id')}")

    def delete(self, files: Sequence[str]) -> None:
        """Forget the chunks of these files."""
        with self._mapped():
            table = self._table()
            if table is not None and files:
                table.delete(_among(files))

    def vector(self, vector: NDArray[np.float32], k: int, files: Sequence[str] = (), *, exact: bool = False) -> Found:
        """The k nearest chunks with their cosine, best first; `exact` passes the ANN index by."""
        with self._mapped():
            table = self._table()
            if table is None:
                return []
            query: Any = table.search(vector, vector_column_name="vector").limit(k)
            query = query.distance_type("cosine")
            query = query.bypass_vector_index() if exact else query.nprobes(PROBES)
            rows = _only(query, files).select([*COLUMNS, "_distance"]).to_arrow().to_pylist()
        return [(_chunk(row), 1.0 - row["_distance"]) for row in rows]

    def text(self, question: str, k: int, files: Sequence[str] = ()) -> Found:
        """The k best chunks by their words with their BM25 score, best first."""
        rows = self._worded(question, k, files, COLUMNS)
        return [] if rows is None else _scored(rows)

    def text_vectors(self, question: str, k: int, files: Sequence[str] = ()) -> tuple[Found, Vectors]:
        """The same, and the vectors of these chunks row by row, in one look: a second one would cost as much."""
        rows = self._worded(question, k, files, (*COLUMNS, "vector"))
        if rows is None or not len(rows):
            return [], np.zeros((0, 0), np.float32)
        return _scored(rows.drop_columns("vector")), _matrix(rows["vector"])

    def _worded(self, question: str, k: int, files: Sequence[str], columns: Sequence[str]) -> pa.Table | None:
        with self._mapped():
            table = self._table()
            if table is None or not question.strip():
                return None
            from lancedb.query import FullTextOperator, MultiMatchQuery

            words: Any = MultiMatchQuery(question, [*LANGUAGES], boosts=None, operator=FullTextOperator.OR)
            query: Any = table.search(words, query_type="fts").limit(k)
            found: pa.Table = _only(query, files).select([*columns, "_score"]).to_arrow()
            return found

    def chunks(self, file: str | None = None) -> Iterator[Chunk]:
        """Every chunk, of one file in its order."""
        if file is not None:
            yield from sorted(self._where(_among([file])), key=lambda chunk: chunk.number)
            return
        for batch in self._batches(COLUMNS):
            yield from (_chunk(row) for row in batch.to_pylist())

    def vectors(self) -> tuple[tuple[str, ...], Vectors]:
        """Ids of all chunks and their vectors, row by row."""
        ids: list[str] = []
        found: list[Vectors] = []
        for batch in self._batches(("id", "vector")):
            ids += batch.column("id").to_pylist()
            found.append(_matrix(batch.column("vector")))
        return tuple(ids), np.concatenate(found) if found else np.zeros((0, 0), np.float32)

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of these chunks, in this order. Raises StoreFailed for a chunk that is gone."""
        known: dict[str, Vectors] = {}
        with self._mapped():
            table = self._table()
            if table is not None and ids:
                query = table.search().where(_among(ids, "id")).select(["id", "vector"]).limit(len(ids))
                found = query.to_arrow().combine_chunks()
                known = dict(zip(found["id"].to_pylist(), _matrix(found["vector"]), strict=True))
        if missing := [key for key in ids if key not in known]:
            raise StoreFailed(f"chunk {missing[0]} is gone", reason="conflict", where=self._told)
        return np.stack([known[key] for key in ids]) if ids else np.zeros((0, 0), np.float32)

    def neighbours(self, chunk: Chunk, n: int) -> tuple[Chunk, ...]:
        """Up to n chunks before and n after it in its file, in order, without itself."""
        low, high = chunk.number - n, chunk.number + n
        near = f"{_among([chunk.file])} AND number >= {low} AND number <= {high} AND number != {chunk.number}"
        return tuple(sorted(self._where(near), key=lambda other: other.number)) if n > 0 else ()

    def count(self, file: str | None = None) -> int:
        """How many chunks there are, or the file has."""
        with self._mapped():
            table = self._table()
            return 0 if table is None else table.count_rows(_among([file]) if file is not None else None)

    def counts(self) -> dict[str, int]:
        """How many chunks each file has; a file without chunks is absent."""
        found: Counter[str] = Counter()
        for batch in self._batches(("file",)):
            found.update(batch.column("file").to_pylist())
        return dict(found)

    def maintain(self) -> None:
        """Merge small pieces, bring the indexes up to date, let old versions go. For jobs: slow."""
        with self._mapped():
            table = self._table()
            if table is not None:
                table.optimize(cleanup_older_than=KEPT)

    def build_ann(self) -> bool:
        """Whether the ANN index was built, anew where too little is in it; others may write meanwhile. Slow."""
        with self._mapped():
            table = self._table()
            rows = 0 if table is None else table.count_rows()
            if table is None or rows < self.ann_rows or rows <= _indexed(table) * ANN_GROWTH:
                return False
            _build_ann(table, rows)
            return True

    def indexed(self) -> int:
        """How many chunks the ANN index holds; 0 where every search is exact."""
        with self._mapped():
            table = self._table()
            return 0 if table is None else _indexed(table)

    def tag(self, label: str) -> None:
        """Keep the present version under a label, whatever is written later."""
        with self._mapped():
            table = self._table()
            if table is not None:
                table.tags.create(label, table.version)

    def labels(self) -> tuple[str, ...]:
        """The labels that are kept, in the order of letters."""
        with self._mapped():
            table = self._table()
            return () if table is None else tuple(sorted(table.tags.list()))

    def untag(self, label: str) -> None:
        """Let that version go; `maintain` removes it."""
        with self._mapped():
            table = self._table()
            if table is not None and label in table.tags.list():
                table.tags.delete(label)

    def restore(self, label: str) -> None:
        """Make the version of that label the present one; what came after stays a version of its own."""
        with self._mapped():
            table: Any = self._table()
            if table is not None:
                table.restore(label)
                table.checkout_latest()

    def drop(self) -> None:
        """Remove the table."""
        with self._mapped():
            if self._table() is not None:
                self._connection().drop_table(NAME)
            self._opened = None

    def _connection(self) -> Any:
        import lancedb

        fresh = REMOTE_FRESH if "://" in self.uri else timedelta(0)
        return lancedb.connect(self.uri, read_consistency_interval=fresh, storage_options=self._storage or None)

    def _table(self) -> Table | None:
        """The open table, None before the first write; looked for again until it is there."""
        with self._lock:
            if self._opened is None:
                connection = self._connection()
                if NAME in connection.list_tables().tables:
                    self._opened = connection.open_table(NAME)
            return self._opened

    def _create(self, dimensions: int) -> Table:
        from lancedb.index import FTS

        table: Table = self._connection().create_table(NAME, schema=_schema(dimensions))
        for column, name in LANGUAGES.items():
            table.create_index(column, config=FTS(language=name, stem=True, ascii_folding=True, remove_stop_words=True))
        with self._lock:
            self._opened = table
        return table

    def _where(self, condition: str) -> list[Chunk]:
        with self._mapped():
            table = self._table()
            if table is None:
                return []
            rows = table.search().where(condition).select([*COLUMNS]).limit(table.count_rows(condition) or 1)
            return [_chunk(row) for row in rows.to_arrow().to_pylist()]

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, a few thousand at a time."""
        with self._mapped():
            table = self._table()
            total = 0 if table is None else table.count_rows()
            if table is not None and total:
                yield from table.search().select([*columns]).limit(total).to_batches(ROWS_AT_ONCE)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except _OURS as error:
            reason = "disk_full" if "No space left" in str(error) else "failed"
            told = str(error).splitlines()[0].replace(self.uri, self._told)
            raise StoreFailed(told, reason=reason, where=self._told) from error


def _schema(dimensions: int) -> pa.Schema:
    import pyarrow as pa

    numbers = [pa.field(name, pa.int32(), False) for name in ("number", "start", "end", "tokens")]
    texts = [pa.field(name, pa.string(), False) for name in ("id", "file", "name")]
    others = [pa.field("page", pa.int32()), *(pa.field(name, pa.string()) for name in ("heading", *LANGUAGES))]
    return pa.schema([*texts, *numbers, *others, pa.field("vector", pa.list_(pa.float32(), dimensions), False)])


def _rows(chunks: Sequence[Chunk], vectors: Vectors, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    size = schema.field("vector").type.list_size
    if vectors.shape != (len(chunks), size):
        raise ValueError(f"vectors of shape {vectors.shape} for {len(chunks)} chunks of {size} dimensions")
    columns: dict[str, Any] = {
        name: [getattr(chunk, name) for chunk in chunks] for name in COLUMNS if name not in LANGUAGES
    }
    spoken = _languages(chunks)
    for column in LANGUAGES:
        columns[column] = [chunk.text if own == column else None for chunk, own in zip(chunks, spoken, strict=True)]
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), size)
    return pa.table(columns, schema=schema)


def _languages(chunks: Sequence[Chunk]) -> list[str]:
    """Each chunk's language; one that shows none has its neighbour's."""
    spoken: list[str] = []
    for chunk in chunks:
        spoken.append(language(chunk.text, "english" if spoken and spoken[-1] == "english" else "french"))
    return spoken


def _chunk(row: Mapping[str, Any]) -> Chunk:
    text = next(row[column] for column in LANGUAGES if row[column] is not None)
    values = {name: row[name] for name in COLUMNS if name not in LANGUAGES}
    return Chunk(text=text, **values)


def _scored(rows: pa.Table) -> Found:
    return [(_chunk(row), float(row["_score"])) for row in rows.to_pylist()]


def _matrix(column: Any) -> Vectors:
    rows = len(column)
    whole = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    return np.asarray(whole.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(rows, -1)


def _among(values: Iterable[str], column: str = "file") -> str:
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({listed})"


def _only(query: Any, files: Sequence[str]) -> Any:
    return query.where(_among(files)) if files else query


def _indexed(table: Table) -> int:
    for index in table.list_indices():
        if "vector" in index.columns:
            return int(index.num_indexed_rows or 0)
    return 0


def _build_ann(table: Table, rows: int) -> None:
    from lancedb.index import IvfFlat

    table.create_index("vector", config=IvfFlat(distance_type="cosine", num_partitions=max(1, round(rows**0.5))))
