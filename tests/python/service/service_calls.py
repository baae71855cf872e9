"""What tests ask of a controller service, beside its client."""

import http.client
import time

from photonlink.qsc.client import ControlClient

TOKEN = "correct-horse-battery-staple"
FOREVER = 60.0  # no wait for a session may be longer


def post(client, program, **query):
    return client.call("POST", "/sessions", query=query, body=program.to_bytes())


def end(client, grant):
    return client.call("DELETE", f"/sessions/{grant['session']}", lease=grant["lease"])


def raw(service, method, path, body=None, headers=None):
    host, port = service.target.removeprefix("qsc://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=FOREVER)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def session_number(session):
    return int(session._remote._path.rsplit("/", 1)[1])


def usage_of(target, number):
    return ControlClient(target).call("GET", f"/sessions/{number}")


def idle(target):
    """Wait until nobody holds the controller."""
    deadline = time.monotonic() + FOREVER
    while ControlClient(target).call("GET", "/status")["session"] is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def executed(target, number, tokens):
    """Wait until a session has executed so many datapoints."""
    deadline = time.monotonic() + FOREVER
    while usage_of(target, number)["tokens"] < tokens:
        assert time.monotonic() < deadline
        time.sleep(0.01)
