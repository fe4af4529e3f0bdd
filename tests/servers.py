"""Servers on this machine, for what would come from the network."""

import contextlib
import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """What answers, without a word in the terminal."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def running_server(handler: type[Handler], **state):
    """Serve from a port of this machine; `state` becomes attributes that the handler can read."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    for name, value in state.items():
        setattr(server, name, value)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}/"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
