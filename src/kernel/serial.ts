/**
 * What a device's serial may be, for all who meet one: whoever imports it, lets it sign in, names a topic by it or reads its frames.
 * A device that could be imported and not speak would lose its readings without a word.
 */

/**
 * Letters and digits of any script (OpenPAYGO's own vectors have a DEV-中文), and the signs of labels in the field. None is a wildcard
 * of MQTT; a slash is a level of a topic. At most 256 bytes.
 */
const SERIAL = /^[\p{L}\p{M}\p{N}_.:/-]{1,64}$/u;

/** The rule as a person is told it. */
export const SERIAL_RULE = "A serial has 1 to 64 letters, digits or . : / - _";

export function isSerial(text: unknown): text is string {
  return typeof text === "string" && SERIAL.test(text);
}
