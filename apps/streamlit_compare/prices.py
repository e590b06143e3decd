"""The tab Prices: what models cost and what a class would; the teacher's own table and the electricity."""

from __future__ import annotations

from decimal import Decimal

import streamlit as st

from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import plain, table
from apps.ui import compare_prices
from apps.ui.compare_prices import CLASS, CURRENCY
from engine.compare import price_table
from engine.compare.money import Electricity
from engine.compare.price_table import Class, ModelPrice
from engine.errors import AccessDenied
from engine.providers import providers


def show(desk: Desk) -> None:
    """The class, the table, what is the teacher's."""
    t, words = desk.ui.t, desk.ui.words
    st.markdown(t("compare_prices.intro"))
    rows = price_table.table(desk.ui.engine.prices.own())
    group = _group(desk)
    shown = _filtered(desk, rows)
    table(compare_prices.head(words), compare_prices.rows(shown, group, words))
    st.caption(plain(compare_prices.told(group, words)))
    st.download_button(t("compare_prices.csv"), compare_prices.csv_file(shown, group), "prices.csv", "text/csv",
                       icon=":material/download:", type="tertiary", on_click="ignore",
                       key=desk.key("prices.csv"))  # fmt: skip
    _own(desk)
    desk.show_failure()


def _group(desk: Desk) -> Class:
    with st.container(horizontal=True):
        given = {
            name: st.number_input(desk.ui.t(f"compare_prices.group.{name}"), 0, top, start,
                                  key=desk.key(f"prices.{name}"), width=150, persist_state="session")
            for name, (start, top) in CLASS.items()
        }  # fmt: skip
    return compare_prices.group_of(given)


def _filtered(desk: Desk, rows: tuple[ModelPrice, ...]) -> tuple[ModelPrice, ...]:
    t, known = desk.ui.t, providers()
    labels = {"": t("compare_prices.every")}
    labels |= {row.provider: known[row.provider].name if row.provider in known else row.provider for row in rows}
    chosen = st.selectbox(t("compare_prices.filter"), list(labels), format_func=lambda one: labels[one],
                          key=desk.key("prices.provider"), width=240)  # fmt: skip
    return tuple(row for row in rows if not chosen or row.provider == chosen)


def _own(desk: Desk) -> None:
    """Own prices and the electricity, for the teacher to write."""
    t, prices = desk.ui.t, desk.ui.engine.prices
    with st.expander(t("compare_prices.own")):
        if desk.ui.person.role != "teacher":
            st.caption(t("compare_prices.teacher"))
            return
        st.text_area(t("compare_prices.own_lines"), compare_prices.own_text(prices.own()), key=desk.key("prices.own"),
                     help=plain(t("compare_prices.own_help")), height=100)  # fmt: skip
        st.button(t("compare_prices.save_own"), key=desk.key("prices.save"), on_click=_save, args=(desk,))
        known = prices.electricity()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input(t("compare_prices.watts"), 0.0, 100_000.0, float(known.watts) if known else 0.0,
                            key=desk.key("prices.watts"), help=t("compare_prices.electricity_help"),
                            width=200)  # fmt: skip
            st.number_input(t("compare_prices.tariff"), 0.0, 1000.0, float(known.tariff_per_kwh) if known else 0.25,
                            key=desk.key("prices.tariff"), format="%.4f", width=200)  # fmt: skip
            st.text_input(t("compare_prices.currency"), known.currency if known else CURRENCY, max_chars=3,
                          key=desk.key("prices.currency"), width=100)  # fmt: skip
        st.button(t("compare_prices.save_electricity"), key=desk.key("prices.assume"), on_click=_assume, args=(desk,))
        if desk.get("prices.said"):
            st.caption(t("compare_prices.kept"))


def _save(desk: Desk) -> None:
    def save() -> None:
        _teacher(desk)
        desk.ui.engine.prices.keep(compare_prices.own_of(str(desk.get("prices.own") or "")))
        desk.set("prices.said", True)

    desk.attempt(save)


def _assume(desk: Desk) -> None:
    def assume() -> None:
        _teacher(desk)
        watts = Decimal(str(desk.get("prices.watts") or 0))
        tariff, currency = Decimal(str(desk.get("prices.tariff") or 0)), str(desk.get("prices.currency") or CURRENCY)
        desk.ui.engine.prices.assume(Electricity(watts, tariff, currency) if watts else None)
        desk.set("prices.said", True)

    desk.attempt(assume)


def _teacher(desk: Desk) -> None:
    """Raises AccessDenied for a student: the form was not drawn, but a browser may send what it likes."""
    if desk.fresh.ui.person.role != "teacher":
        raise AccessDenied("own prices are the teacher's", role="teacher")
