/** How a file is shown, by its name; and comma-separated text as rows. */

const KINDS: [RegExp, string][] = [
  [/\.(png|jpe?g|gif|webp|svg|bmp)$/i, "picture"],
  [/\.(csv|tsv)$/i, "table"],
  [/\.html?$/i, "page"],
  [/\.(txt|md|json|jsonl|ya?ml|toml|py|log|xml|cfg|ini|sql|r|sh)$|(^|\/)(MLmodel|requirements|Dockerfile)$/i, "text"],
];

export function kindOf(path: string): string {
  return KINDS.find(([pattern]) => pattern.test(path))?.[1] ?? "other";
}

/** The first rows of separated text, with quoted fields as RFC 4180 has them. */
export function rowsOf(text: string, separator: string, most: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let isQuoted = false;
  for (let at = 0; at < text.length && rows.length < most; at += 1) {
    const sign = text[at]!;
    if (isQuoted) {
      if (sign !== '"') field += sign;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else isQuoted = false;
    } else if (sign === '"' && field === "") isQuoted = true;
    else if (sign === separator) {
      row.push(field);
      field = "";
    } else if (sign === "\n") {
      row.push(field.replace(/\r$/, ""));
      rows.push(row);
      row = [];
      field = "";
    } else field += sign;
  }
  if (rows.length < most && (field !== "" || row.length)) rows.push([...row, field]);
  return rows;
}
