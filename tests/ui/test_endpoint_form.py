"""The form of an endpoint: what it says of a row, and what its empty fields leave as it is."""

from __future__ import annotations

import pytest

from apps.ui.endpoint_form import Form, capabilities, params, quirks, row_rows, token_fields
from apps.ui.i18n import words
from engine.providers import Provider, providers


@pytest.mark.parametrize("row", providers().values(), ids=list(providers()))
def test_every_row_of_ours_is_shown_whole_and_comes_back_as_it_was(row: Provider) -> None:
    form = Form.of(row)
    told = form.fields()
    assert (set(told["params"]), told["token_field"]) == (row.params, row.token_field)
    assert (set(told["quirks"]), set(told["capabilities"]), told["price"]) == (
        row.quirks, row.capabilities, row.price or "",
    )  # fmt: skip
    for lang in ("fr", "en"):
        known = words(lang)
        assert set(form.params) <= set(params(known)) and set(form.quirks) <= set(quirks(known))
        assert set(form.capabilities) <= set(capabilities(known)) and form.token_field in token_fields(known)
        assert len(row_rows(row, known)) == 5 and all(value for _, value in row_rows(row, known))


def test_empty_fields_and_another_kind_leave_what_it_takes_alone() -> None:
    nature = {"params", "token_field", "quirks", "capabilities", "price"}
    assert not nature & set(Form(id="a", urls="http://h/v1").fields())
    assert not nature & set(Form(id="a", urls="http://h/v1", like="ollama", price="openai").fields())
    assert nature - {"token_field"} <= set(Form(id="a", urls="http://h/v1", price="openai").fields())
