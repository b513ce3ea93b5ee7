"""Many recordings.

- ``jobs``: recordings and folders to jobs
"""
