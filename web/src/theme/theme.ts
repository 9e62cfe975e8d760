/** Mantine's theme over the tokens: its components take their colours from the same file as ours. */

import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const indigo: MantineColorsTuple = [
  "#eef0fb", "#dde1f5", "#b9c1ea", "#93a0e0", "#7383d7", "#5e70d0", "#4f62cb", "#3d4db7", "#3347b0", "#2a3a91",
];

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 8, dark: 6 },
  colors: { indigo },
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "18px" },
  headings: { fontWeight: "620", sizes: { h1: { fontSize: "22px" }, h2: { fontSize: "16px" }, h3: { fontSize: "14px" } } },
  components: {
    Button: { defaultProps: { size: "xs" } },
    TextInput: { defaultProps: { size: "xs" } },
    Select: { defaultProps: { size: "xs" } },
    MultiSelect: { defaultProps: { size: "xs" } },
    NumberInput: { defaultProps: { size: "xs" } },
    Textarea: { defaultProps: { size: "xs" } },
    SegmentedControl: { defaultProps: { size: "xs" } },
    Modal: { defaultProps: { centered: true, radius: "md" } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250 } },
  },
});

const variables = {
  "--mantine-color-body": "var(--paper)",
  "--mantine-color-text": "var(--ink)",
  "--mantine-color-dimmed": "var(--ink-3)",
  "--mantine-color-default": "var(--surface)",
  "--mantine-color-default-border": "var(--line)",
  "--mantine-color-default-hover": "var(--sunken)",
  "--mantine-color-anchor": "var(--blue)",
};

export const resolver: CSSVariablesResolver = () => ({ variables: {}, light: variables, dark: variables });
