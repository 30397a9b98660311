/** A request that the scripted model refuses, with the HTTP status to say so. */
export class ModelRequestError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "ModelRequestError";
    this.status = status;
  }
}
