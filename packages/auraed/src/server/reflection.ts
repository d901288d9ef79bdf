import {
  ErrorResponseSchema,
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "@aurae/api/reflection";
import { ServerReflection as ServerReflectionV1alpha } from "@aurae/api/reflection-v1alpha";
import { create, type DescFile, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";

type Answer = ServerReflectionResponse["messageResponse"];
type ReflectionCall = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;

/**
 * Tell of the services, those without methods too, from their descriptors. Both versions of the
 * protocol have the same messages on the wire.
 */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const described = [...services, ServerReflection, ServerReflectionV1alpha];
  const index = new DescriptorIndex(described);
  function handle(call: ReflectionCall): void {
    answerAll(call, index);
  }
  for (const { typeName, methods } of [ServerReflection, ServerReflectionV1alpha]) {
    for (const { name } of methods) {
      server.register(`/${typeName}/${name}`, handle, serialize, deserialize, "bidi");
    }
  }
}

/** An answer for each question, and the next one is read when it is taken. */
function answerAll(call: ReflectionCall, index: DescriptorIndex): void {
  call.on("data", (request: ServerReflectionRequest) => {
    const messageResponse = index.answer(request.messageRequest);
    const { host: validHost } = request;
    const response = { validHost, originalRequest: request, messageResponse };
    if (call.write(create(ServerReflectionResponseSchema, response))) return;
    call.pause();
    call.once("drain", () => call.resume());
  });
  call.on("end", () => call.end());
}

/** Every file that describes the services, by its name and by what it declares. */
class DescriptorIndex {
  readonly #services: readonly DescService[];
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();

  constructor(services: readonly DescService[]) {
    this.#services = services;
    for (const { file } of services) this.#add(file);
  }

  answer(question: ServerReflectionRequest["messageRequest"]): Answer {
    switch (question.case) {
      case "listServices": {
        const service = this.#services.map(({ typeName: name }) => ({ name }));
        return create(ServerReflectionResponseSchema, {
          messageResponse: { case: "listServicesResponse", value: { service } },
        }).messageResponse;
      }
      case "fileByFilename":
        return toFiles(this.#byName.get(question.value), question.value);
      case "fileContainingSymbol":
        return toFiles(this.#bySymbol.get(question.value), question.value);
      case "fileContainingExtension":
      case "allExtensionNumbersOfType":
        return toError(status.NOT_FOUND, "Cannot find the extension: there are none");
      case undefined:
        return toError(status.INVALID_ARGUMENT, "Cannot answer: nothing was asked");
      default:
        return question satisfies never;
    }
  }

  #add(file: DescFile): void {
    const name = `${file.name}.proto`;
    if (this.#byName.has(name)) return;
    this.#byName.set(name, file);
    for (const symbol of symbolsOf(file)) this.#bySymbol.set(symbol, file);
    for (const dependency of file.dependencies) this.#add(dependency);
  }
}

function* symbolsOf(file: DescFile): Generator<string> {
  for (const service of file.services) {
    yield service.typeName;
    for (const { name } of service.methods) yield `${service.typeName}.${name}`;
  }
  for (const { typeName } of [...file.enums, ...file.extensions]) yield typeName;
  const messages = [...file.messages];
  for (const message of messages) {
    messages.push(...message.nestedMessages);
    yield message.typeName;
    for (const { typeName } of message.nestedEnums) yield typeName;
    for (const { name } of message.fields) yield `${message.typeName}.${name}`;
  }
}

/** The file and all that it imports, itself first. */
function toFiles(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) {
    return toError(status.NOT_FOUND, `Cannot find ${JSON.stringify(asked.slice(0, 255))}`);
  }
  const files = new Set([file]);
  for (const each of files) for (const dependency of each.dependencies) files.add(dependency);
  const fileDescriptorProto = [...files].map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return create(ServerReflectionResponseSchema, {
    messageResponse: { case: "fileDescriptorResponse", value: { fileDescriptorProto } },
  }).messageResponse;
}

function toError(errorCode: status, errorMessage: string): Answer {
  const value = create(ErrorResponseSchema, { errorCode, errorMessage });
  return { case: "errorResponse", value };
}

function serialize(response: ServerReflectionResponse): Buffer {
  return Buffer.from(toBinary(ServerReflectionResponseSchema, response));
}

/** What does not parse asks nothing. */
function deserialize(bytes: Buffer): ServerReflectionRequest {
  try {
    return fromBinary(ServerReflectionRequestSchema, bytes);
  } catch {
    return create(ServerReflectionRequestSchema);
  }
}
