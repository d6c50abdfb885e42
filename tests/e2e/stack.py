"""The stack as `make deploy` makes it, by `sam build` and `sam deploy`, with the binaries of target/lambda. In between,
`sam package` uploads these once for all deploys. MiniStack itself expands the template's loops, as CloudFormation does.

MiniStack is not AWS, and the platforms are played over http. What that needs is bridged here and nowhere else.

In the copy of the built template that is deployed (`bridge`):

- Parameters named ...Url lose their AllowedPattern: they take https only, and the sandbox has no certificate.
- A literal takes the place of the ScalingConfig's reference to a parameter: MiniStack compares its text with a number.
- Rights lose the condition on KMS's encryption context, which MiniStack does not know.
- A role that may send a message, or insert by PartiQL, may also make the batch calls: MiniStack checks rights by the
  call's name, AWS by its effect. For PartiQL, MiniStack checks them without a table.
- A role that may ask for a bus may ask for any: MiniStack takes the bus's name for a rule's.

In the deployed stack (`connect`):

- Routes and integrations are made from the OpenAPI document that SAM makes of the functions' events: MiniStack makes an
  HTTP API without looking at its `Body`.
"""

import copy
import gzip
import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
SAM = REPOSITORY / ".venv-lint/bin/sam"
# Of samconfig.toml.
ENVIRONMENT = "dev"
DEPLOY_SECONDS = 300
# A function in the text of a template, up to its code.
FUNCTION = re.compile(r"^(?P<before>  (?P<name>\w+):\n(?:(?:    .*)?\n)*?      CodeUri: )\S+$", re.MULTILINE)
WITHOUT_LOOPS = Path(__file__).parent / "fixtures/template-without-loops.yaml.gz"


def packaged(cloud):
    """The template with its functions' code in a bucket."""
    folder = cloud.folder / "build"
    # `sam build` does not empty another folder than its own.
    shutil.rmtree(folder, ignore_errors=True)
    sam(cloud, "build", "--template", "template.yaml", "--build-dir", str(folder))
    return uploaded(cloud, folder)


def packaged_without_loops(cloud, template):
    """The template before it had loops, a deployment of which has to survive an update (tests/e2e/fixtures). Its functions
    have the code that is in the bucket for the other template."""
    folder = cloud.folder / "without-loops"
    folder.mkdir()
    text = gzip.decompress(WITHOUT_LOOPS.read_bytes()).decode()
    text = FUNCTION.sub(lambda found: found["before"] + code(template, found["name"])["CodeUri"], text)
    (folder / "template.yaml").write_text(text)
    return uploaded(cloud, folder)


def uploaded(cloud, folder):
    # As in the Makefile: paths in loops are relative to the template.
    (folder / "target").symlink_to(REPOSITORY / "target")
    made = cloud.folder / "packaged.yaml"
    sam(
        cloud, "package", "--template", str(folder / "template.yaml"), "--language-extensions", "--resolve-s3",
        "--output-template-file", str(made),
    )  # fmt: skip
    return yaml.safe_load(made.read_text())


def sam(cloud, *arguments):
    """Runs the SAM CLI against MiniStack; what it wrote to stdout."""
    return run([SAM, *arguments], cloud.environment)


def make(cloud, target, answers="", **variables):
    """Runs a target of the Makefile against MiniStack; what it wrote to stdout."""
    given = [f"{name}={value}" for name, value in variables.items()]
    environment = {name: value for name, value in cloud.environment.items() if name != "AWS_DEFAULT_REGION"}
    return run(["make", "--silent", target, f"CONFIG_ENV={ENVIRONMENT}", *given], environment, answers)


def run(command, environment, answers=""):
    ran = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        input=answers,
        capture_output=True,
        text=True,
        timeout=DEPLOY_SECONDS,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"{command} failed:\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}")
    return ran.stdout


def code(template, function):
    """Where a template has a function's code, as the object that holds its CodeUri: a mapping's, for one of a loop."""
    mappings = template["Mappings"].values()
    of_loops = [mapping[function] for mapping in mappings if "CodeUri" in mapping.get(function, {})]
    return of_loops[0] if of_loops else template["Resources"][function]["Properties"]


def bridge(template):
    template = copy.deepcopy(template)
    for name, parameter in template["Parameters"].items():
        if name.endswith("Url"):
            parameter.pop("AllowedPattern", None)
    loops = [loop[2] for name, loop in template["Resources"].items() if name.startswith("Fn::ForEach::")]
    single = {name: one for name, one in template["Resources"].items() if not name.startswith("Fn::ForEach::")}
    for resource in [one for resources in [single, *loops] for one in resources.values()]:
        properties = resource.get("Properties", {})
        for event in properties.get("Events", {}).values():
            scaling = event["Properties"].get("ScalingConfig", {})
            for key, value in scaling.items():
                if isinstance(value, dict):
                    scaling[key] = template["Parameters"][value["Ref"]]["Default"]
        policies = properties.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            policies = [properties]
        for policy in policies:
            bridge_rights(policy["PolicyDocument"]["Statement"])
    return template


def bridge_rights(statements):
    unconditional = [statement for statement in statements if "Fn::If" not in statement]
    if len(unconditional) < len(statements):
        statements.append({"Effect": "Allow", "Action": ["events:DescribeEventBus"], "Resource": "*"})
    for statement in unconditional:
        if "kms:EncryptionContext:record" in statement.get("Condition", {}).get("StringLike", {}):
            del statement["Condition"]
        if "sqs:SendMessage" in statement["Action"]:
            statement["Action"].append("sqs:SendMessageBatch")
    if any("dynamodb:PartiQLInsert" in statement["Action"] for statement in unconditional):
        statements.append({"Effect": "Allow", "Action": ["dynamodb:BatchExecuteStatement"], "Resource": "*"})


class Stack:
    def __init__(self, cloud, template, name, parameters):
        self.cloud, self.template, self.name, self.parameters = cloud, template, name, parameters

    def deploy(self):
        path = self.cloud.folder / "bridged.yaml"
        path.write_text(yaml.safe_dump(bridge(self.template), sort_keys=False))
        # As `make deploy` gives them, but for URLs, which it takes with https only.
        urls = [f"{name}={value}" for name, value in self.parameters.items() if name.endswith("Url")]
        given = [f"{name}={value}" for name, value in self.parameters.items() if not name.endswith("Url")]
        parameters = self.cloud.folder / "parameters.yaml"
        python = REPOSITORY / ".venv-lint/bin/python"
        checked = run([python, "scripts/parameters", ENVIRONMENT, *given], self.cloud.environment)
        parameters.write_text(checked)
        sam(
            self.cloud, "deploy", "--template", str(path), "--config-file", str(REPOSITORY / "samconfig.toml"),
            "--config-env", ENVIRONMENT, "--no-confirm-changeset", "--no-progressbar",
            "--parameter-overrides", f"file://{parameters}", *urls,
        )  # fmt: skip
        self.connect()

    def connect(self):
        gateway, api = self.cloud.client("apigatewayv2"), self.id("HttpApi")
        present = {route["RouteKey"] for route in gateway.get_routes(ApiId=api)["Items"]}
        for path, operations in self.processed["Resources"]["HttpApi"]["Properties"]["Body"]["paths"].items():
            for method, operation in operations.items():
                method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                key, integration = f"{method} {path}", operation["x-amazon-apigateway-integration"]
                if key in present:
                    continue
                made = gateway.create_integration(
                    ApiId=api,
                    IntegrationType=integration["type"].upper(),
                    IntegrationMethod=integration["httpMethod"],
                    IntegrationUri=self.arn(re.search(r"\$\{(\w+)\.Arn\}", integration["uri"]["Fn::Sub"])[1]),
                    PayloadFormatVersion=integration["payloadFormatVersion"],
                )
                gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{made['IntegrationId']}")

    @property
    def processed(self):
        """The template that SAM's transform made of ours."""
        return self.cloud.client("cloudformation").get_template(StackName=self.name, TemplateStage="Processed")[
            "TemplateBody"
        ]

    @cached_property
    def outputs(self):
        stack = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def id(self, resource):
        """The name or id that a resource of the template got."""
        found = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=resource
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    @property
    def resources(self):
        """Type and physical id of every resource, by logical id."""
        pages = self.cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return {one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"]) for one in resources}

    def code(self, function):
        return code(self.template, function)

    def arn(self, function):
        return self.function(function)["FunctionArn"]

    def function(self, function):
        return self.cloud.client("lambda").get_function(FunctionName=self.id(function))["Configuration"]

    @contextmanager
    def variables(self, function, **changed):
        """Changes a function's environment variables for a while."""
        functions, name = self.cloud.client("lambda"), self.id(function)
        before = self.function(function)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before | changed})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    @contextmanager
    def attributes(self, queue, visibility_seconds, received_at_most):
        """Has a queue hand out a message again sooner, and give it up sooner, for a while."""
        queues, url = self.cloud.client("sqs"), self.id(queue)
        before = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "RedrivePolicy"])
        before = before["Attributes"]
        redrive = json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": received_at_most}
        changed = {"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)}
        queues.set_queue_attributes(QueueUrl=url, Attributes=changed)
        try:
            yield
        finally:
            queues.set_queue_attributes(QueueUrl=url, Attributes=before)

    @contextmanager
    def undelivered(self):
        """Has nothing taken from the queue of deliveries for a while."""
        functions = self.cloud.client("lambda")
        [source] = functions.list_event_source_mappings(FunctionName=self.id("Deliver"))["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
        try:
            yield
        finally:
            functions.update_event_source_mapping(UUID=source["UUID"], Enabled=True)
