"""The check of a training corpus before any training.

- ``layout``: the recordings of a corpus with their speakers and sets
- ``messages``: what the library logs while it reads
- ``facts``: what is measured in one recording
- ``fingerprint``: sound that occurs twice, at any level and in any encoding
- ``findings``: the kinds of findings, and one finding
- ``sounds``: length, rate, level and band of recordings
- ``duplicates``: recordings that occur twice
- ``subsets``: what the sets share
- ``annotations``: turns that do not fit their recordings
- ``voices``: two voices under one name, one voice under two
- ``check``: all of it; a summary
- ``report``: a report as text, JSON and TSV
"""
