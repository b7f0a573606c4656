"""How to reach an EKS cluster, and how to sign in to it.

A token is a GetCallerIdentity request that is signed but not sent; EKS sends it, and so learns who signed.

Source: aws-iam-authenticator, "API Authorization from Outside a Cluster"; the same as ``aws eks get-token`` prints.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from chalicelib.core import aws, clock

_PREFIX = "k8s-aws-v1."
# EKS takes a token for 15 minutes after it was signed.
_USED_FOR_S = 14 * 60
_SIGNED_FOR_S = 60


@dataclass(frozen=True)
class EksCluster:
    endpoint: str
    certificate_authority: str


def find(name: str) -> EksCluster:
    """Where the cluster is, and the authority (PEM) that it proves itself by. One DescribeCluster."""
    found = aws.client("eks").describe_cluster(name=name)["cluster"]
    return EksCluster(found["endpoint"], base64.b64decode(found["certificateAuthority"]["data"]).decode())


def token(cluster: str) -> str:
    """A bearer token for the cluster, signed with this function's credentials. No call."""
    import boto3
    from botocore.signers import RequestSigner

    sts = aws.client("sts")
    session = boto3.Session()
    signer = RequestSigner(sts.meta.service_model.service_id, sts.meta.region_name, "sts", "v4", session.get_credentials(), sts.meta.events)
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"https://sts.{sts.meta.region_name}.{_dns_suffix(sts.meta.region_name)}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        },
        operation_name="",
        expires_in=_SIGNED_FOR_S,
        region_name=sts.meta.region_name,
    )
    return _PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


class Tokens:
    """The token to use now: signed again shortly before EKS would refuse the last one."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._token = ""
        self._until = 0.0

    def current(self) -> str:
        if clock.timestamp() >= self._until:
            self._token = token(self._cluster)
            self._until = clock.timestamp() + _USED_FOR_S
        return self._token


def _dns_suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
