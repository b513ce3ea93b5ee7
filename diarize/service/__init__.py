"""Recordings and streams labelled for others, over HTTP and WebSocket.

- ``limits``: what is refused: too large, too long, too many
- ``store``: jobs on disk: a folder each, and the journal of `diarize.batch`
- ``job_queue``: jobs that wait, run in worker processes, and are removed after a time
- ``uploads``: a recording from a request to its folder
- ``job_routes``: the jobs over HTTP, with their progress as server-sent events
- ``live_routes``: streams over WebSocket
- ``openapi``: the description of the jobs' interface
- ``pages``: the pages for people
- ``guard``: what each request must pass: access, headers, slow clients
- ``application``: all of these as one ASGI application
- ``serving``: that application on a socket, until a signal ends it
"""
