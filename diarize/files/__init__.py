"""Files and folders.

- ``atomic``: writes a whole file or none
- ``text``: text files line by line, with errors that name the line
- ``folders``: the files in a folder
- ``bundled``: the folders of the bundled networks
"""
