"""AWS models without their documentation still are models to botocore."""

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from chalicelib.core.aws import SERVICES
from infra.build import _without_documentation


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_can_be_read_from_a_model_without_documentation(service):
    model = ServiceModel(_without_documentation(Loader().load_service_model(service, "service-2")), service)

    assert all(parameter.documentation == "" for parameter in model.client_context_parameters)
    for name in model.operation_names:
        operation = model.operation_model(name)
        assert operation.documentation == ""
        # What a call looks at: the parameters of endpoint rules, errors, and the shapes of request and answer.
        assert operation.static_context_parameters is not None
        assert operation.context_parameters is not None
        for shape in (operation.input_shape, operation.output_shape, *operation.error_shapes):
            assert shape is None or shape.name
