"""The page: a server on this machine, and what it shows in a browser.

- `serving` starts it; `guard` turns away who does not hold the token; `api` answers.
- A `sessions.Session` is one browser; it has `project.Project`s, each a video with its tracks and a `journal` of steps.
- Whatever decodes, computes or draws is a task (`tasks`, `media`) in a `child` process, in the queue of `jobs`.
- `static` is the page itself: ES modules as the browser takes them.
"""
