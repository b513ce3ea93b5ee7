"""Many recordings.

- ``jobs``: files, folders and Kaldi data folders as a list of jobs
"""
