"""The requests of a stretch as a gateway is asked them: each a question of its own, all checked together."""

from mlops_assets.gateway.refusals import Refused
from mlops_assets.gateway.requests import Asking, Question, Table
from mlops_assets.replay.stretches import Asks


async def questions(asking: Asking, asks: Asks) -> list[tuple[str, Question]]:
    """The id and the question of each request that may be asked, in their order; those that may not are left out."""
    try:
        whole = await asking.question(Table(columns=asks.columns, rows=len(asks.ids)))
    except Refused:
        if len(asks.ids) == 1:
            return []
        return [one for place in range(len(asks.ids)) for one in await questions(asking, _single(asks, place))]
    names, rows = tuple(whole.columns), zip(*whole.columns.values(), strict=True)
    return [
        (
            id_,
            Question(
                rows=1,
                columns=dict(zip(names, [(value,) for value in row], strict=True)),
                as_of_us=(whole.as_of_us[n],),
                units=(whole.units[n],),
                features=(whole.features[n],),
            ),
        )
        for n, (id_, row) in enumerate(zip(asks.ids, rows, strict=True))
    ]


def _single(asks: Asks, place: int) -> Asks:
    return Asks(ids=[asks.ids[place]], columns={name: [values[place]] for name, values in asks.columns.items()})
