// What programs in Java do: a prepared statement, its types, tables and their keys, a cursor, an error in a transaction.
import java.sql.*;

public class Jdbc {
    public static void main(String[] told) throws Exception {
        try (Connection one = DriverManager.getConnection(told[0], "ann", "")) {
            DatabaseMetaData about = one.getMetaData();
            print(about.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME", "TABLE_TYPE");
            print(about.getColumns(null, "public", "visit", "%"), "COLUMN_NAME", "TYPE_NAME");
            print(about.getPrimaryKeys(null, "public", "visit"), "COLUMN_NAME", "PK_NAME");
            print(about.getSchemas(), "TABLE_SCHEM");
            print(about.getIndexInfo(null, "public", "area", true, false), "INDEX_NAME", "COLUMN_NAME");
            PreparedStatement asked = one.prepareStatement("SELECT id, cost, seen, tags FROM visit WHERE cost > ? AND id < ? ORDER BY id");
            asked.setBigDecimal(1, new java.math.BigDecimal("2"));
            asked.setLong(2, 3);
            for (int n = 0; n < 7; n++) {  // from the fifth time on the statement has a name, and values are binary
                ResultSet rows = asked.executeQuery();
                rows.next();
                if (n % 6 == 0) {
                    String[] tags = (String[]) rows.getArray(4).getArray();
                    System.out.println(rows.getLong(1) + " " + rows.getBigDecimal(2) + " " + rows.getTimestamp(3) + " " + tags.length);
                }
            }
            one.setAutoCommit(false);
            Statement paged = one.createStatement();
            paged.setFetchSize(100);
            ResultSet rows = paged.executeQuery("SELECT range FROM range(1050) ORDER BY 1");
            long sum = 0;
            while (rows.next()) sum += rows.getLong(1);
            System.out.println(sum);
            try {
                paged.executeQuery("SELECT * FROM nix");
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            one.rollback();
        }
    }

    static void print(ResultSet rows, String... names) throws SQLException {
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (String name : names) line.append(rows.getString(name)).append(' ');
            System.out.println(line.toString().trim());
        }
    }
}
