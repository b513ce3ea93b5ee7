"""Files and folders.

- ``atomic``: a file appears whole or not at all
- ``text``: text files by line, with the place of each value for errors
- ``folders``: files below a folder
- ``bundled``: where the networks are that come with the package
"""
