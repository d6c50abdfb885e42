"""The stacks of samconfig.toml's environments, and the template that they are made of."""

import pathlib

import tomlkit
from botocore.exceptions import ClientError
from samcli.lib.cfn_language_extensions import (
    IntrinsicResolver,
    ProcessingPipeline,
    TemplateParsingProcessor,
    TemplateProcessingContext,
)
from samcli.lib.cfn_language_extensions.api import IntrinsicResolverProcessor
from samcli.lib.cfn_language_extensions.processors.foreach import ForEachProcessor
from samcli.lib.cfn_language_extensions.resolvers.fn_find_in_map import FnFindInMapResolver
from samcli.lib.cfn_language_extensions.resolvers.fn_join import FnJoinResolver
from samcli.lib.cfn_language_extensions.resolvers.fn_ref import FnRefResolver
from samcli.lib.cfn_language_extensions.resolvers.fn_sub import FnSubResolver
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Resources that outlive a stack, by type, with the property that identifies one to CloudFormation.
KEPT = {"AWS::DynamoDB::Table": "TableName", "AWS::KMS::Key": "KeyId"}
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"


class Join(FnJoinResolver):
    """Leaves a join with parts that only CloudFormation knows. The library writes their Python form into the text."""

    def resolve(self, value):
        separator, parts = value["Fn::Join"]
        parts = self.parent.resolve_value(parts)
        return separator.join(parts) if all(isinstance(part, str) for part in parts) else {"Fn::Join": [separator, parts]}


class Sub(FnSubResolver):
    """Leaves a text with variables that only CloudFormation knows. The library leaves the text without its Fn::Sub."""

    def resolve(self, value):
        text = value["Fn::Sub"]
        return value if "${" in str(text) else text


def template():
    """template.yaml with its loops expanded."""
    return without_loops(yaml_parse((ROOT / "template.yaml").read_text()))


def without_loops(template):
    """A template with its loops expanded, and the functions resolved that depend on nothing else. The library's default
    pipeline also replaces parameters by their defaults, and decides conditions by those."""
    context = TemplateProcessingContext(
        template, parameter_values={name: {"Ref": name} for name in template["Parameters"]}
    )
    resolver = IntrinsicResolver(context)
    for function in (FnFindInMapResolver, FnRefResolver, Join, Sub):
        resolver.register_resolver(function)
    steps = [TemplateParsingProcessor(), ForEachProcessor(resolver), IntrinsicResolverProcessor(resolver)]
    expanded = ProcessingPipeline(steps).process_template(context)
    # Nothing looks its tables up any more.
    del expanded["Mappings"]
    expanded["Transform"] = [name for name in expanded["Transform"] if name != LANGUAGE_EXTENSIONS]
    return expanded


def configured(environment, command):
    """The parameters in samconfig.toml of an environment for a command of the SAM CLI."""
    return tomlkit.parse((ROOT / "samconfig.toml").read_text())[environment][command]["parameters"]


def name(environment):
    return str(configured(environment, "global")["stack_name"])


def exists(cloudformation, stack):
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return True
