"""The template that CloudFormation gets, without the artifacts: what Chalice packages for minutes is of no interest here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from infra import build

NAMES = {
    "DeploymentKey": "deployment-0.zip",
    "KubernetesKey": "kubernetes-0.zip",
    "PythonSdkKey": "sdk-python-0.zip",
    "NodejsSdkKey": "sdk-nodejs-0.zip",
}


@pytest.fixture(scope="session")
def chalice_template() -> dict[str, Any]:
    """Chalice's own part, as ``chalice package`` would write it, made without its zip."""
    from chalice.awsclient import TypedAWSClient
    from chalice.cli.factory import CLIFactory
    from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
    from chalice.deploy.deployer import BuildStage, InjectDefaults, PolicyGenerator, SwaggerBuilder
    from chalice.deploy.swagger import CFNSwaggerGenerator
    from chalice.package import PackageOptions, SAMTemplateGenerator
    from chalice.policy import AppPolicyGenerator
    from chalice.utils import OSUtils

    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    factory = CLIFactory(str(build.ROOT))
    config = factory.create_config_obj("aws")
    resources = DependencyBuilder().build_dependencies(ApplicationGraphBuilder().build(config, "aws"))
    osutils = OSUtils()
    steps = [InjectDefaults(), PolicyGenerator(AppPolicyGenerator(osutils), osutils), SwaggerBuilder(CFNSwaggerGenerator())]
    BuildStage(steps=steps).execute(config, resources)
    for resource in resources:
        if hasattr(resource, "deployment_package"):
            resource.deployment_package.filename = "./deployment.zip"
    made = SAMTemplateGenerator(config, PackageOptions(TypedAWSClient(factory.create_botocore_session()))).generate(resources)
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def template(chalice_template: dict[str, Any]) -> dict[str, Any]:
    return build.template(NAMES, json.loads(json.dumps(chalice_template)))


@pytest.fixture(scope="session")
def template_file(template: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.json"
    path.write_text(json.dumps(template))
    return path
