/**
 * Takes how many connections the supervisor of a cell has refused for what came on them, and says when
 * they have become more: somebody else has come to its socket, who is no daemon.
 */
export function sayRefused(
  cellName: string,
  warn: (sentence: string) => void,
): (count: number) => void {
  let known = 0;
  return (count) => {
    if (count > known) {
      const times = count - known === 1 ? "once" : `${count - known} times`;
      warn(`The supervisor of cell "${cellName}" has refused what came to its socket, ${times}`);
    }
    known = count;
  };
}
