"""A simulated Kubernetes: enough of its API for the official client, and a small kubelet that makes pods run.

Written for this project because the ready-made emulators stop short of what sessions need: kmock's, the closest,
ignores label selectors and cannot create namespaces, and none has a capacity that can run out.
The state is one JSON file.

=============  =======================================================================================
`resources`    which kinds there are, and what each demands
`errors`       the answers that Kubernetes gives to a refused request
`store`        objects, their versions, watches, deletion with its consequences
`selectors`    label and field selectors
`patching`     merge, strategic merge and JSON patches
`applying`     server-side apply and field ownership
`quantities`   ``500m`` and ``2Gi``
`kubelet`      scheduling onto nodes with a capacity, starting and stopping pods, binding claims
`server`       all of it over HTTP, with ``/_simulator/…`` for tests and demonstrations
=============  =======================================================================================
"""
