const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"] as const;
const SAID: Readonly<Record<string, string>> = { "*": "star", "#": "hash" };

/** Twelve keys. `names` says what keys with a meaning of their own do. */
export function Keypad({
  label,
  press,
  names = {},
  isDisabled = false,
}: {
  label: string;
  press: (key: string) => void;
  names?: Readonly<Record<string, string>>;
  isDisabled?: boolean;
}) {
  return (
    <div className="keypad" role="group" aria-label={label}>
      {KEYS.map((key) => (
        <button key={key} type="button" disabled={isDisabled} onClick={() => press(key)}>
          <span aria-hidden="true">{key}</span>
          {names[key] !== undefined && (
            <small className="meaning" aria-hidden="true">
              {names[key]}
            </small>
          )}
          <span className="unseen">{`${SAID[key] ?? key}${names[key] === undefined ? "" : `, ${names[key]}`}`}</span>
        </button>
      ))}
    </div>
  );
}
