"""The page of a replay: what came out in a sentence, the policies side by side, each with its year, what it cost.

Pure: the account in, one HTML file out, which loads nothing and runs nothing. Its pictures are part of it, so that
every mark can say its sentence.
"""

from mlops_assets.core.account import Account
from mlops_assets.core.pages.document import definitions, document, header, number
from mlops_assets.core.pages.markup import NOTHING
from mlops_assets.core.pages.replay_compared import best_policy, changed, compared, costs, gained, metric_said
from mlops_assets.core.pages.replay_policy import policy_section
from mlops_assets.core.pages.replay_style import REPLAY_STYLE
from mlops_assets.core.plots.lanes import axis_of

_WORDS = {
    "champion, challenger": "The model whose answers count, and the one on its way: it answers in the shadow, then for "
    "a growing share of requests, each step by a certificate of its answers so far.",
    "baseline": "The declared answer without any model, version 0, which stands until a first model is proven.",
    "inputs": "What the drift report says: as they were, something moved, drift, or a broken feed.",
    "predictions": "Whether the model's own answers are spread as they were.",
    "outcomes": "What the performance report says on matured labels: whether the model is wrong more often than when "
    "it was made (concept drift).",
    "what it asks for": "What these three mean together; the policy decides whether it may happen now.",
    "over its threshold": "Each column has its own threshold, made of how restless it was inside the reference; at 1.0 "
    "and beyond it has drifted.",
    "gain over never": "How much better the answers were than those of the first model, on the same requests.",
    "exposed, harmed": "Answers users got from a challenger before it was champion; those of challengers that were "
    "then rolled back.",
}


def replay_page(account: Account) -> str:
    """One standalone HTML file; the same account gives the same text. Raises DataError for what is no instant.

    Each policy's timeline, live metric and drift stand over the same weeks: `begin` to the end of the week of `end`.
    """
    axis = axis_of([account.begin, account.end, *(week.week for one in account.policies for week in one.weeks)])
    facts = [f"first model learned to {account.first}", f"seed {account.seed}", f"{_asked(account):,} requests asked"]
    if account.most is not None:
        facts.append(f"a sample of {account.most:,} requests a week at most")
    page = document(
        f"Replay of {account.use_case}, {account.begin} to {account.end}",
        header(f"Replay · {account.use_case}", NOTHING, _sentence(account), " · ".join(facts)),
        compared(account),
        changed(account),
        *(policy_section(account, one, axis) for one in account.policies),
        costs(account),
        definitions(_WORDS),
        more_style=REPLAY_STYLE,
    )
    return page.decode()


def _asked(account: Account) -> int:
    """The same requests are asked under every policy."""
    return max((sum(week.asked for week in one.weeks) for one in account.policies), default=0)


def _sentence(account: Account) -> str:
    weeks = max((len(one.weeks) for one in account.policies), default=0)
    many = len(account.policies)
    what = (
        f"{weeks} week{'' if weeks == 1 else 's'} of {account.use_case}, {account.begin} to {account.end}, replayed "
        f"under {many} polic{'y' if many == 1 else 'ies'}"
    )
    best = best_policy(account)
    if best is None:
        return f"{what}: no answer has a label yet."
    figure = f"{metric_said(account.metric)} {number(best.metrics[account.metric], '.4g')}"
    return f"{what}: {f'{best.name} did best, ' if many > 1 else ''}{figure}{gained(account, best)}."
