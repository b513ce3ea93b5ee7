"""Figures of a training and of its vectors, and one HTML file that shows them all."""

from diarize.machine.quiet_imports import import_matplotlib

import_matplotlib()
