"""Which event of the tab calls which handler. Knows no layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_kit import INTERNAL
from apps.gradio_models.adding import Adding
from apps.gradio_models.asking import Asking
from apps.gradio_models.bringing import Bringing
from apps.gradio_models.cards import ADDRESS, Cards
from apps.gradio_models.configuring import Configuring
from apps.gradio_models.desk import Desk
from apps.gradio_models.parts import Shelf
from apps.gradio_models.publishing import Publishing
from apps.gradio_models.reaching import Endpoints
from apps.gradio_models.running import Running, Runs
from apps.gradio_models.serving import Server, Serving
from apps.gradio_models.slots import Chooser, Doorman, Occupied

ONE_LAST: dict[str, Any] = {"trigger_mode": "always_last", **INTERNAL}


@dataclass(frozen=True)
class Front:
    """The tab's own five tabs, and the picture above them."""

    section: gr.Tab
    picture: gr.HTML
    tabs: Mapping[str, gr.Tab]


def wire(
    desk: Desk, front: Front, shelf: Shelf, adding: Adding, running: Running, endpoints: Endpoints, server: Server
) -> None:
    """Connect everything."""
    cards, bringing = Cards(desk, shelf), Bringing(desk, adding)
    _work(desk, front, cards, bringing)
    _front(desk, front, cards)
    _cards(desk, front, cards)
    _configuring(Configuring(desk, shelf), shelf)
    _adding(desk, front, cards, bringing)
    _running(Runs(desk, running), front)
    _endpoints(Asking(desk, endpoints), front, cards)
    _server(Serving(desk, server), front)
    _published(Publishing(desk, server.published))


def _work(desk: Desk, front: Front, cards: Cards, bringing: Bringing) -> None:
    work = desk.work
    watched: set[Any] = {work.watched}
    gr.on([work.clock.tick, front.section.select], desk.look, watched, work.written, **INTERNAL)
    work.cancel.click(desk.cancel, watched, work.written, **INTERNAL)
    work.ended.change(cards.look, _listed(desk, cards), _list(cards), **INTERNAL)
    work.ended.change(bringing.opened, _brought(bringing), _bring(bringing), **INTERNAL)


def _front(desk: Desk, front: Front, cards: Cards) -> None:
    listed, add = cards.parts.list, front.tabs["add"]
    rights = [listed.load, listed.unload, cards.parts.files.sums, add, listed.filter]
    front.section.select(cards.rights, None, rights, **INTERNAL)
    looks = [front.section.select, desk.work.ended.change]
    gr.on(looks, cards.picture, None, front.picture, **INTERNAL)


def _listed(desk: Desk, cards: Cards) -> set[Any]:
    return {cards.parts.list.filter, cards.parts.list.chosen, desk.bar.model}


def _list(cards: Cards) -> list[Any]:
    return [cards.parts.list.table, cards.parts.list.chosen]


def _cards(desk: Desk, front: Front, cards: Cards) -> None:
    parts, listed = cards.parts, cards.parts.list
    read, written = _listed(desk, cards), _list(cards)
    gr.on([front.section.select, front.tabs["models"].select], cards.look, read, written, **INTERNAL)
    listed.filter.change(cards.look, read, written, **ONE_LAST)
    desk.bar.model.change(cards.follow, read, written, **ONE_LAST)
    used = listed.use.click(cards.use, listed.chosen, desk.bar.model, **INTERNAL)
    used.then(None, desk.bar.model, None, js=ADDRESS)
    for event, handler in ((listed.load.click, cards.load), (listed.unload.click, cards.unload)):
        done = event(handler, read, [*written, listed.told], **INTERNAL)
        done.then(cards.picture, None, front.picture, **INTERNAL)
    card, template, files = parts.card, parts.template, parts.files
    chosen: set[Any] = {listed.chosen}
    listed.chosen.change(cards.card, chosen, [card.card, card.context, card.estimate], **ONE_LAST)
    sizes = {listed.chosen, card.context, card.slots, card.kv}
    gr.on([card.context.input, card.slots.input, card.kv.input], cards.estimate, sizes, card.estimate, **ONE_LAST)
    asked = {listed.chosen, template.system, template.user, template.answer}
    tried = [template.system.submit, template.user.submit, template.answer.input, template.tab.select]
    gr.on([*tried, listed.chosen.change], cards.template, asked, [template.preview, template.source], **ONE_LAST)
    gr.on([files.tab.select, listed.chosen.change], cards.files, chosen, [files.table, files.told], **ONE_LAST)
    files.sums.click(cards.sums, chosen, desk.work.written, **INTERNAL)
    desk.work.ended.change(cards.files, chosen, [files.table, files.told], **INTERNAL)


def _configuring(configuring: Configuring, shelf: Shelf) -> None:
    parts = shelf.settings
    read = {shelf.list.chosen, parts.instance, *parts.fields, *configuring.desk.bar.inputs}
    written = [parts.decided, parts.form, parts.instance, *parts.fields, parts.told]
    gr.on([parts.tab.select, shelf.list.chosen.change], configuring.look, read, written, **ONE_LAST)
    parts.save.click(configuring.save, read, written, **INTERNAL)
    parts.remove.click(configuring.remove, read, written, **INTERNAL)


def _brought(bringing: Bringing) -> set[Any]:
    return {bringing.parts.quantize.model}


def _bring(bringing: Bringing) -> list[Any]:
    parts = bringing.parts
    return [
        parts.download.curated,
        parts.download.list,
        parts.quantize.model,
        parts.bring.folders,
        parts.bring.kept,
        parts.bring.remove,
        parts.download.token_state,
        parts.download.forget,
        parts.download.left,
        parts.download.unfinished,
    ]


def _adding(desk: Desk, front: Front, cards: Cards, bringing: Bringing) -> None:
    parts, work = bringing.parts, desk.work.written
    download, quantize, convert, bring = parts.download, parts.quantize, parts.convert, parts.bring
    front.tabs["add"].select(bringing.opened, _brought(bringing), _bring(bringing), **INTERNAL)
    dropped = bring.drop.ended(bringing.dropped, _brought(bringing), [*_bring(bringing), bring.told], **INTERNAL)
    download.start.click(bringing.download, {download.curated}, work, **INTERNAL)
    found = download.found
    searched = [download.search.click, download.words.submit]
    gr.on(searched, bringing.search, {download.words}, found, **INTERNAL)
    download.repository.input(bringing.files, {download.repository}, found, **INTERNAL)
    gr.on([download.keep.click, download.token.submit], bringing.keep, {download.token}, download.kept, **INTERNAL)
    download.forget.click(bringing.forget, None, download.kept, **INTERNAL)
    download.clean.click(bringing.clean, None, download.partial, **INTERNAL)
    download.fetch.click(bringing.fetch, {download.repository, download.file}, work, **INTERNAL)
    chosen = {quantize.model, quantize.kind}
    quantize.start.click(bringing.quantize, chosen, work, **INTERNAL)
    gr.on([quantize.model.change, quantize.kind.input], bringing.about, chosen, quantize.told, **ONE_LAST)
    convert.tab.select(bringing.converter, None, convert.told, **INTERNAL)
    convert.start.click(bringing.convert, {convert.folder, convert.kind}, work, **INTERNAL)
    bring.start.click(bringing.bring, {bring.path}, work, **INTERNAL)
    folders = [bring.folders, bring.folder, bring.kept, bring.remove, bring.told]
    added = bring.add.click(bringing.add, {bring.folder}, folders, **INTERNAL)
    removed = bring.remove.click(bringing.remove, {bring.kept}, folders, **INTERNAL)
    for done in (dropped, added, removed):
        done.then(cards.picture, None, front.picture, **INTERNAL)


def _running(runs: Runs, front: Front) -> None:
    parts = runs.parts
    read: set[Any] = {parts.chosen, parts.live}
    written = [parts.table, parts.chosen, parts.unload, parts.measure, parts.more]
    gr.on([front.tabs["running"].select, parts.clock.tick], runs.look, read, written, **ONE_LAST)
    parts.live.input(runs.live, read, [*written, parts.clock], **INTERNAL)
    parts.unload.click(runs.unload, read, [*written, parts.told], **INTERNAL)
    parts.measure.click(runs.measure, read, [*written, parts.told], **INTERNAL)
    parts.fold.expand(runs.runtime, read, [parts.runtime, parts.log], **INTERNAL)
    choice, chooser = parts.choice, Chooser(runs.desk, parts.choice)
    parts.fold.expand(chooser.look, None, choice.written, **INTERNAL)
    choice.save.click(chooser.save, {choice.threads, choice.layers, choice.device}, choice.written, **INTERNAL)
    choice.unload.click(chooser.unload, None, choice.written, **INTERNAL)


def _endpoints(asking: Asking, front: Front, cards: Cards) -> None:
    parts, bar = asking.parts, asking.desk.bar
    read = {parts.chosen, parts.tested, *parts.form}
    shown = [parts.table, parts.chosen, parts.own, parts.nature]
    front.tabs["endpoints"].select(asking.look, read, shown, **INTERNAL)
    tested = [*shown, parts.told, parts.tested, parts.model, parts.use, parts.far, parts.served, parts.pulling]
    parts.test.click(asking.test, read, tested, **INTERNAL)
    work, named = asking.desk.work, {parts.chosen, parts.model, parts.far_window, parts.pull_name}
    for order, pressed in (("load", parts.load), ("unload", parts.unload), ("pull", parts.pull)):
        pressed.click(asking.order(order), named, work.written, **INTERNAL)
    work.ended.change(asking.again, {*read, work.ended}, tested, **INTERNAL)
    parts.detect.click(asking.detect, read, [*shown, parts.told, parts.tested], **INTERNAL)
    filled = [*parts.form, parts.use, parts.told, parts.far, parts.nature]
    parts.chosen.input(asking.fill, read, filled, **INTERNAL)
    taken = parts.take.click(asking.take, {parts.chosen, parts.model}, [parts.told, bar.model], **INTERNAL)
    taken.then(None, bar.model, None, js=ADDRESS)
    gr.on([parts.keep.click, parts.key.submit], asking.keep, {*read, parts.key}, [*shown, parts.told, parts.key],
          **INTERNAL)  # fmt: skip
    parts.forget.click(asking.forget, {*read, parts.key}, [*shown, parts.told, parts.key], **INTERNAL)
    for event, handler in ((parts.save.click, asking.save), (parts.remove.click, asking.remove)):
        event(handler, read, [*shown, parts.told], **INTERNAL).then(cards.picture, None, front.picture, **INTERNAL)


def _server(serving: Serving, front: Front) -> None:
    where, keys, log, asked = serving.parts.where, serving.parts.keys, serving.parts.log, serving.parts.asked
    places, set_ = [where.shown, where.cors, where.origins, where.rate, where.told], {where.origins, where.rate}
    gr.on([front.tabs["server"].select, where.tab.select], serving.where, set_, places, **INTERNAL)
    where.save.click(serving.allow, set_, [where.told, where.origins, where.rate], **INTERNAL)
    door, doorman = where.port, Doorman(serving.desk, where.port)
    gr.on([front.tabs["server"].select, where.tab.select], doorman.look, None, door.written, **INTERNAL)
    for changed_ in (door.open.click(doorman.open, {door.port}, door.written, **INTERNAL),
                     door.close.click(doorman.close, None, door.written, **INTERNAL)):  # fmt: skip
        changed_.then(serving.where, set_, places, **INTERNAL)
    slots = serving.parts.slots
    occupied = Occupied(serving.desk, slots)
    gr.on([slots.tab.select, slots.clock.tick], occupied.look, None, slots.table, **ONE_LAST)
    slots.live.input(occupied.live, {slots.live}, [slots.clock, slots.table], **INTERNAL)
    typed = {keys.name, keys.days, keys.requests, keys.tokens, keys.chosen}
    written = [keys.form, keys.once, keys.table, keys.chosen, keys.revoke, keys.name]
    keys.tab.select(serving.keys, typed, written, **INTERNAL)
    keys.create.click(serving.create, typed, written, **INTERNAL)
    keys.revoke.click(serving.revoke, typed, written, **INTERNAL)
    wanted = {log.level, log.filter, log.live}
    gr.on([log.tab.select, log.clock.tick, log.level.input, log.filter.change], serving.log, wanted, log.table,
          **ONE_LAST)  # fmt: skip
    log.live.input(serving.live, wanted, [log.clock, log.table], **INTERNAL)
    form = {asked.route, asked.stream, asked.message, asked.form, serving.desk.bar.model}
    changed = [asked.tab.select, asked.route.input, asked.stream.input, asked.message.change, asked.form.input]
    gr.on(changed, serving.code, form, asked.code, **ONE_LAST)


def _published(publishing: Publishing) -> None:
    parts = publishing.parts
    for event, handler in (
        (parts.tab.select, publishing.look),
        (parts.publish.click, publishing.publish),
        (parts.withdraw.click, publishing.withdraw),
    ):
        event(handler, {*parts.read, publishing.desk.bar.model}, parts.written, **INTERNAL)
