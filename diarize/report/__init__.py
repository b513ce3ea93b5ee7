"""Figures of a training and of its vectors, and one HTML file that shows them all."""
