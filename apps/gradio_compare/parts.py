"""The parts of the Compare tab in their order, each a function that lays it out at its `Place`. Knows no layout.

A part is a module with a function `build(place)`, which stands here under its key of `apps.ui.compare.TABS`; its named
endpoints, if any, stand in a module called *_api, which gradio_app.ENDPOINTS lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apps.gradio_compare import arena, batch, pictures, prices, side_by_side
from apps.gradio_compare.place import Place

PARTS: Mapping[str, Callable[[Place], None]] = {
    "side": side_by_side.build,
    "vote": arena.build,
    "batch": batch.build,
    "prices": prices.build,
    "images": pictures.build,
}
