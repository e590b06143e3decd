"""Prices: what models cost and what a class would; the teacher's own table and the electricity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_compare.place import Place
from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_documents.desk import Update, Values, file_button, lines_html, table_html
from apps.gradio_kit import INTERNAL, Ui
from apps.ui import compare_prices
from apps.ui.compare_prices import CLASS, CURRENCY
from engine.compare import price_table
from engine.compare.money import Electricity
from engine.errors import AccessDenied, EngineError
from engine.person import Person
from engine.providers import providers


@dataclass(frozen=True)
class Desk:
    """The components and what their events do."""

    ui: Ui
    group: dict[str, gr.Number]
    provider: gr.Dropdown
    table: gr.HTML
    own: gr.Textbox
    watts: gr.Number
    tariff: gr.Number
    currency: gr.Textbox
    teacher: gr.Column
    note: gr.HTML
    told: gr.HTML

    @property
    def asked(self) -> set[Any]:
        """What the table is drawn from."""
        return {self.provider, *self.group.values()}

    def drawn(self, values: Values) -> str:
        """The table."""
        words = self.ui.words
        group, rows = self._chosen(values)
        lines = table_html(compare_prices.head(words), compare_prices.rows(rows, group, words))
        return f"{lines}{lines_html([compare_prices.told(group, words)])}"

    def opened(self, values: Values, request: gr.Request) -> Update:
        """The table, and what is the teacher's."""
        prices, teacher = self.ui.engine.prices, self.ui.person(request).role == "teacher"
        known = prices.electricity() if teacher else None
        return {
            self.table: self.drawn(values),
            self.teacher: gr.Column(visible=teacher),
            self.note: "" if teacher else lines_html([self.ui.t("compare_prices.teacher")]),
            self.own: compare_prices.own_text(prices.own()) if teacher else "",
            self.watts: float(known.watts) if known else 0,
            self.tariff: float(known.tariff_per_kwh) if known else 0.25,
            self.currency: known.currency if known else CURRENCY,
        }

    def save(self, values: Values) -> str:
        """The table as a file for the browser."""
        group, rows = self._chosen(values)
        return f"[{outgoing('prices.csv', 'text/csv', compare_prices.csv_file(rows, group))}]"

    def keep(self, values: Values, request: gr.Request) -> str:
        """The teacher's own prices."""
        text = str(values[self.own] or "")
        return self._kept(request, lambda: self.ui.engine.prices.keep(compare_prices.own_of(text)))

    def assume(self, values: Values, request: gr.Request) -> str:
        """The teacher's assumption on electricity."""
        watts, tariff = (Decimal(str(values[box] or 0)) for box in (self.watts, self.tariff))
        assumed = Electricity(watts, tariff, str(values[self.currency] or CURRENCY)) if watts else None
        return self._kept(request, lambda: self.ui.engine.prices.assume(assumed))

    def _chosen(self, values: Values) -> tuple[price_table.Class, tuple[price_table.ModelPrice, ...]]:
        group = compare_prices.group_of({name: values[box] for name, box in self.group.items()})
        rows, wanted = price_table.table(self.ui.engine.prices.own()), values[self.provider]
        return group, tuple(row for row in rows if not wanted or row.provider == wanted)

    def _kept(self, request: gr.Request, act: Callable[[], Any]) -> str:
        try:
            teacher(self.ui.person(request))
            act()
        except EngineError as error:
            return kit.error_html(error, self.ui)
        return lines_html([self.ui.t("compare_prices.kept")])


def teacher(person: Person) -> None:
    """Raises AccessDenied for a student: a client may call what no page shows."""
    if person.role != "teacher":
        raise AccessDenied("own prices are the teacher's", role="teacher")


def build(place: Place) -> None:
    """Lay out the part."""
    ui, t = place.ui, place.ui.t
    gr.HTML(f"<p>{t('compare_prices.intro')}</p>", padding=False)
    with gr.Row():
        group = {name: gr.Number(start, label=t(f"compare_prices.group.{name}"), minimum=0, maximum=top, precision=0,
                                 min_width=120, elem_id=f"prices-{name}")
                 for name, (start, top) in CLASS.items()}  # fmt: skip
        provider = gr.Dropdown(_providers(ui), value="", label=t("compare_prices.filter"), elem_id="prices-provider")
    table = gr.HTML(elem_id="prices-table", elem_classes="atelier-slot")
    file = file_button("csv")
    outbox = gr.Textbox("", label=t("compare_prices.csv"), elem_classes="atelier-hidden")
    with gr.Accordion(t("compare_prices.own"), open=False):
        note = gr.HTML(elem_classes="atelier-slot")
        with gr.Column(visible=False) as column:
            own = gr.Textbox("", label=t("compare_prices.own_lines"), info=t("compare_prices.own_help"), lines=4,
                             elem_id="prices-own")  # fmt: skip
            save = gr.Button(t("compare_prices.save_own"), size="sm", elem_id="prices-save")
            with gr.Row():
                watts = gr.Number(0, label=t("compare_prices.watts"), info=t("compare_prices.electricity_help"),
                                  minimum=0, elem_id="prices-watts")  # fmt: skip
                tariff = gr.Number(0.25, label=t("compare_prices.tariff"), minimum=0, elem_id="prices-tariff")
                currency = gr.Textbox(CURRENCY, label=t("compare_prices.currency"), max_length=3,
                                      elem_id="prices-currency")  # fmt: skip
            assume = gr.Button(t("compare_prices.save_electricity"), size="sm", elem_id="prices-assume")
        told = gr.HTML(elem_id="prices-told", elem_classes="atelier-slot")
    desk = Desk(ui, group, provider, table, own, watts, tariff, currency, column, note, told)
    shown = [table, column, note, own, watts, tariff, currency]
    place.tab.select(desk.opened, desk.asked, shown, **INTERNAL)
    changes = [provider.input, *(box.change for box in group.values())]
    gr.on(changes, desk.drawn, desk.asked, table, trigger_mode="always_last", **INTERNAL)
    file.click(desk.save, desk.asked, outbox, **INTERNAL)
    outbox.change(None, outbox, outbox, js=DOWNLOAD)
    save.click(desk.keep, {own}, told, **INTERNAL).then(desk.drawn, desk.asked, table, **INTERNAL)
    assume.click(desk.assume, {watts, tariff, currency}, told, **INTERNAL)


def _providers(ui: Ui) -> list[tuple[str, str]]:
    known = providers()
    rows = dict.fromkeys(row.provider for row in price_table.table())
    return [(ui.t("compare_prices.every"), ""), *((known[one].name if one in known else one, one) for one in rows)]
