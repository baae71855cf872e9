"""The controller as a service: one photonic processor, reserved over HTTP, spoken to over shared memory.

The service itself (``photonlink qsc serve``) needs the packages of ``pip install 'photonlink[qsc]'``; its clients need
nothing but photonlink: ``photonlink.reserve("qsc://127.0.0.1:7117", program)``.
"""
