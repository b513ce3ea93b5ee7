"""Settings chosen on labelled recordings, and the stability of results without labels.

- ``recordings``: recordings with their references
- ``bench``: results of settings on recordings; what stages cost is kept
- ``kept_scores``: scores of settings, in memory and in a file
- ``space``: the settings that are tried
- ``gain``: the gain, with its interval
- ``outcome``: what was chosen, as text and as TOML
- ``search``: `tune`, the choice of settings, cross-validated
- ``stability``: `measure_stability`, results of a recording under small changes
"""

from diarize.tuning.outcome import Outcome
from diarize.tuning.recordings import Recording, find_recordings
from diarize.tuning.search import tune
from diarize.tuning.stability import Stability, measure_stability

__all__ = ["Outcome", "Recording", "Stability", "find_recordings", "measure_stability", "tune"]
