"""The page: what is playing on every source, the day, the history; shown by the listener itself.

All names of starlette and uvicorn stand in this folder. It is an edge: it knows events and settings, and asks
for everything else through `port.Listener`. `docs/page.md` says what a visitor sees, and who may visit.
"""
