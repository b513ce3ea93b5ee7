"""Tables of clusterers, layers, centred and noisy embeddings, and of parts of more or less speech.

Each ``describe_`` function gives Markdown. What was not run is marked as "not run".
"""

from __future__ import annotations

from statistics import fmean

from diarize.experiments.runs import Run, format_table, layers_of, percent, spread, values_of
from diarize.experiments.tables import (
    LEGACY,
    MAIN,
    MR,
    NOT_RUN,
    ORACLE,
    ORACLE_LEGACY,
    SCORES,
    Runs,
    Systems,
    size_of,
)

EVERYONE, NOISY = "all_speakers", "noisy"
SETS = ("dominant_sets", MR)


def choose_network(systems: Systems, runs: Runs) -> str | None:
    """The network with the lowest MR on the development speakers, at the best height for them.

    Without development speakers, the first network that was run; None if none was.
    """
    at = ("thresholds_of_dev", "condensed", MR)
    found = {name: several for name, several in runs.items() if systems[name].is_network and several}
    rates = {name: fmean(values_of(several, *at) or [1.0]) for name, several in found.items()}
    return min(rates, key=lambda name: rates[name], default=None)


def describe_clusterers(systems: Systems, runs: Runs, name: str = MAIN) -> str:
    """All clusterers on the embeddings of one network, for one set of speakers."""
    chosen = choose_network(systems, runs)
    at = ("sets", name, "clusterers")
    if chosen is None or not any(isinstance(run.find(*at), dict) for run in runs[chosen]):
        return f"{NOT_RUN}\n"
    here, rows = runs[chosen], []
    clusterers = next(found for run in here if isinstance(found := run.find(*at), dict))
    for clusterer, ways in clusterers.items():
        for way in ways:
            keys = (*at, clusterer, way)
            centred = ("sets", name, "centred", "clusterers", clusterer, way)
            rows.append(
                [
                    clusterer,
                    way.replace("_", " "),
                    spread(values_of(here, *keys, "n_clusters"), digits=1),
                    percent(values_of(here, *keys, MR)),
                    percent(values_of(here, *centred, MR)),
                    percent(values_of(here, *keys, LEGACY)),
                    *(spread(values_of(here, *keys, score)) for score in SCORES),
                ]
            )
    header = ["clusterer", "number", "k", "MR", "MR, centred", "legacy MR", "ARI", "ACP", "NMI"]
    return (
        f"Embeddings: {systems[chosen].title}, the network with the lowest MR on the development speakers; "
        f"{size_of(runs, name)} speakers; seeds: {len(here)}. *Own number*: found by the clusterer; "
        "*oracle*: from the true speakers; *eigengap*: the largest gap between eigenvalues of the affinity; "
        "*noise as one*: what HDBSCAN calls noise is one cluster, else a cluster each. The width of the "
        f"Gaussian kernel is the one with the lowest MR.\n\n{format_table(header, rows)}"
    )


def describe_centring(systems: Systems, runs: Runs) -> str:
    """MR of embeddings as they are and with their mean subtracted, for clean and for noisy recordings."""
    ways = {
        f"{what}, {kind}": ("sets", name, *centred, *keys)
        for name, what in ((MAIN, "clean"), (NOISY, "noisy"))
        for keys, way in ((ORACLE, "oracle cut"), (SETS, "dominant sets"))
        for centred, kind in (((), way), (("centred",), f"{way}, centred"))
    }
    rows = [
        [system.title, *(percent(values_of(runs[name], *keys)) for keys in ways.values())]
        for name, system in systems.items()
        if runs[name]
    ]
    return format_table(["system", *ways], rows) if rows else f"{NOT_RUN}\n"


def describe_layers(systems: Systems, runs: Runs) -> str:
    """MR by each layer of each network."""
    rows = []
    for name, system in systems.items():
        for layer in layers_of(runs[name]):
            at = ("layers", layer)
            ways = [(*at, *ORACLE), (*at, "centred", *ORACLE), (*at, *ORACLE_LEGACY)]
            ways += [(*at, *SETS), (*at, "centred", *SETS)]
            mark = " (its layer)" if any(run.facts.get("layer") == layer for run in runs[name]) else ""
            cells = (percent(values_of(runs[name], *keys)) for keys in ways)
            rows.append([system.title, layer + mark, *cells])
    header = ["system", "layer", "MR, oracle cut", "centred", "legacy MR, oracle cut"]
    header += ["MR, dominant sets", "centred"]
    return format_table(header, rows) if rows else f"{NOT_RUN}\n"


def describe_regimes(systems: Systems, runs: Runs) -> str:
    """MR of every clusterer by how many sentences a part has, and of every system by two of them."""
    chosen = choose_network(systems, runs)
    regimes = next(
        (found for several in runs.values() for run in several if (found := run.find("regimes"))), None
    )
    if chosen is None or regimes is None:
        return f"{NOT_RUN}\n"
    names = list(regimes)

    def cells(several: list[Run], *keys: str) -> list[str]:
        draws = [
            [rate for run in several for rate in run.find("regimes", name, "clusterers", *keys, MR) or []]
            for name in names
        ]
        return [percent(rates) for rates in draws]

    clusterers = regimes[names[0]]["clusterers"]
    by_clusterer = [
        [clusterer, way.replace("_", " "), *cells(runs[chosen], clusterer, way)]
        for clusterer, ways in clusterers.items()
        for way in ways
    ]
    by_system = [
        [system.title, shown, *cells(runs[name], *keys)]
        for name, system in systems.items()
        if any(run.find("regimes") for run in runs[name])
        for shown, keys in {
            "agglomerative complete, oracle cut": ("agglomerative complete", "oracle_cut"),
            "dominant sets": ("dominant sets", "own_number"),
            "dominant sets, theta 0.67": ("dominant sets, theta 0.67", "own_number"),
        }.items()
    ]
    sizes = ", ".join(
        f"{name}: {one['n_speakers']} speakers, {one['n_parts']} parts" for name, one in regimes.items()
    )
    return (
        f"Sentences of the two parts of a speaker, drawn at random five times ({sizes}); *each alone*: every "
        "sentence is a part. An embedding is the mean of those of its sentences.\n\n"
        f"{format_table(['system', 'clusterer', *names], by_system)}\n"
        f"All clusterers on the embeddings of {systems[chosen].title}:\n\n"
        f"{format_table(['clusterer', 'number', *names], by_clusterer)}"
    )


def describe_everyone(systems: Systems, runs: Runs) -> str:
    """MR of every system on all speakers of the corpus, those that it was trained on too."""
    ways = {
        "MR, oracle cut": ORACLE,
        "MR, oracle cut, centred": ("centred", *ORACLE),
        "MR, dominant sets": SETS,
        "MR, dominant sets, centred": ("centred", *SETS),
    }
    rows = [
        [system.title, *(percent(values_of(runs[name], "sets", EVERYONE, *keys)) for keys in ways.values())]
        for name, system in systems.items()
        if values_of(runs[name], "sets", EVERYONE, *ORACLE)
    ]
    if not rows:
        return f"{NOT_RUN}\n"
    return (
        f"{size_of(runs, EVERYONE)} speakers; the paper's 630 are those of TIMIT. The speakers that a "
        "network was trained on are among them, here as in the paper.\n\n"
        f"{format_table(['system', *ways], rows)}\n{describe_clusterers(systems, runs, EVERYONE)}"
    )
