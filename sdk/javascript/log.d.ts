/** Lines for the operator. They are not repeated when a verdict is reused. */
export function debug(message: unknown): void;
export function info(message: unknown): void;
export function warn(message: unknown): void;
export function error(message: unknown): void;
