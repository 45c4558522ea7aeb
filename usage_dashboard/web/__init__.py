"""What stands between the server and Django: it takes a request's body, gives the whole to a thread, and sends the answer.

The server calls an ASGI application, and nothing here knows which server that is. Django stays synchronous behind it, as a
WSGI application.
"""
