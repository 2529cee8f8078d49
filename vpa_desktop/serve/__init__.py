"""An OpenAI-compatible endpoint on this machine, behind the same router, limits and audit as the window.

Needs the extra ``serve`` (starlette, uvicorn, httptools); what it answers from is handed to it by the command line.
"""
